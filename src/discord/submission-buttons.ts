/** Buttons below a submission. Their custom ids are read by commands/submissions.ts. */
import {
  type APIActionRowComponent,
  type APIButtonComponent,
  ButtonStyle,
  ComponentType,
} from 'discord-api-types/v10';

type ButtonRow = APIActionRowComponent<APIButtonComponent>;

export function cancelButton(submissionId: number): ButtonRow {
  return row({
    label: 'Cancel',
    customId: `submissions:cancel:${submissionId}`,
    style: ButtonStyle.Secondary,
  });
}

/** Only for what failed by our fault. */
export function rerunButton(submissionId: number): ButtonRow {
  return row({
    label: 'Run it again',
    customId: `submissions:rerun:${submissionId}`,
    style: ButtonStyle.Primary,
  });
}

function row(button: {
  label: string;
  customId: string;
  style: ButtonStyle.Primary | ButtonStyle.Secondary;
}): ButtonRow {
  return {
    type: ComponentType.ActionRow,
    components: [
      { type: ComponentType.Button, label: button.label, custom_id: button.customId, style: button.style },
    ],
  };
}
