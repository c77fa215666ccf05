/** Buttons of rulings. `submissions:appeal` is read by commands/submissions.ts, the others by commands/admin/submission.ts. */
import {
  type APIActionRowComponent,
  type APIButtonComponent,
  ButtonStyle,
  ComponentType,
} from 'discord-api-types/v10';

type ButtonRow = APIActionRowComponent<APIButtonComponent>;
type Style = ButtonStyle.Primary | ButtonStyle.Secondary | ButtonStyle.Success | ButtonStyle.Danger;

function row(...buttons: { label: string; customId: string; style: Style }[]): ButtonRow {
  return {
    type: ComponentType.ActionRow,
    components: buttons.map(({ label, customId, style }) => ({
      type: ComponentType.Button,
      label,
      custom_id: customId,
      style,
    })),
  };
}

export function appealButton(rulingId: number): ButtonRow {
  return row({ label: 'Appeal', customId: `submissions:appeal:${rulingId}`, style: ButtonStyle.Primary });
}

export function appealDecision(rulingId: number): ButtonRow {
  return row(
    { label: 'Put it back', customId: `admin:submission:grant:${rulingId}`, style: ButtonStyle.Success },
    { label: 'Reject', customId: `admin:submission:reject:${rulingId}`, style: ButtonStyle.Secondary },
  );
}

export function deletionDecision(key: string): ButtonRow {
  return row(
    { label: 'Delete it for good', customId: `admin:submission:delete:${key}`, style: ButtonStyle.Danger },
    { label: 'Keep it', customId: `admin:submission:keep:${key}`, style: ButtonStyle.Secondary },
  );
}
