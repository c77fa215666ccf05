/** Discord's limits on messages and modals, so that a bot's mistake shows here and not first on Discord. */
import { ButtonStyle, ComponentType } from 'discord-api-types/v10';
import { FormCheck, isJson, type Json, objectsOf } from './form-check.ts';

const embedTotal = 6000;

/** @throws DiscordError 50035 that names every fault of a message's content, embeds and components */
export function checkMessage(payload: Json): void {
  const check = new FormCheck();
  check.text('content', payload.content, { max: 2000 });
  const embeds = check.list('embeds', payload.embeds, { max: 10 });
  let total = 0;
  for (const [index, embed] of embeds.entries()) total += checkEmbed(check, `embeds.${index}`, embed);
  if (total > embedTotal) {
    check.fault('embeds', 'MAX_EMBED_SIZE_EXCEEDED', `Embed size exceeds maximum size of ${embedTotal}`);
  }
  const rows = check.list('components', payload.components, { max: 5 });
  checkRows(check, rows);
  check.list('attachments', payload.attachments, { max: 10 });
  if (payload.nonce !== undefined) check.text('nonce', String(payload.nonce), { max: 25 });
  check.done();
}

function checkEmbed(check: FormCheck, path: string, embed: Json): number {
  let size = 0;
  const measure = (at: string, value: unknown, limits: { min?: number; max: number; required?: boolean }) => {
    size += [...check.text(`${path}.${at}`, value, limits)].length;
  };
  measure('title', embed.title, { max: 256 });
  measure('description', embed.description, { max: 4096 });
  const footer = embed.footer;
  if (isJson(footer)) measure('footer.text', footer.text, { max: 2048, required: true, min: 1 });
  const author = embed.author;
  if (isJson(author)) measure('author.name', author.name, { max: 256, required: true, min: 1 });
  const fields = check.list(`${path}.fields`, embed.fields, { max: 25 });
  for (const [index, field] of fields.entries()) {
    measure(`fields.${index}.name`, field.name, { max: 256, required: true, min: 1 });
    measure(`fields.${index}.value`, field.value, { max: 1024, required: true, min: 1 });
  }
  const colour = embed.color;
  if (colour !== undefined && colour !== null && !(Number(colour) >= 0 && Number(colour) <= 0xffffff)) {
    check.fault(`${path}.color`, 'NUMBER_TYPE_MAX', 'int value should be less than or equal to 16777215.');
  }
  const timestamp = embed.timestamp;
  if (typeof timestamp === 'string' && Number.isNaN(Date.parse(timestamp))) {
    check.fault(`${path}.timestamp`, 'DATE_TIME_TYPE_PARSE', `Could not parse ${timestamp}.`);
  }
  for (const key of ['image', 'thumbnail']) {
    const media = embed[key];
    if (isJson(media)) checkUrl(check, `${path}.${key}.url`, media.url, ['http:', 'https:', 'attachment:']);
  }
  if (embed.url !== undefined && embed.url !== null) checkUrl(check, `${path}.url`, embed.url);
  return size;
}

function checkUrl(check: FormCheck, path: string, value: unknown, schemes = ['http:', 'https:']): void {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined) check.fault(path, 'URL_TYPE_INVALID_URL', 'Not a well formed URL.');
  else if (!schemes.includes(url.protocol)) {
    check.fault(
      path,
      'URL_TYPE_INVALID_SCHEME',
      `Scheme "${url.protocol.slice(0, -1)}" is not supported. Scheme must be one of ('http', 'https').`,
    );
  }
}

function checkRows(check: FormCheck, rows: Json[]): void {
  const seen = new Set<string>();
  for (const [rowIndex, row] of rows.entries()) {
    const rowPath = `components.${rowIndex}`;
    if (row.type !== ComponentType.ActionRow) {
      check.fault(`${rowPath}.type`, 'UNION_TYPE_CHOICES', 'The value of field "type" must be one of (1,).');
      continue;
    }
    const parts = check.list(`${rowPath}.components`, row.components, { min: 1, max: 5 });
    for (const [index, part] of parts.entries()) {
      const path = `${rowPath}.components.${index}`;
      if (part.type === ComponentType.Button) checkButton(check, path, part);
      else if (part.type === ComponentType.StringSelect) {
        checkSelect(check, path, part);
        if (parts.length > 1) {
          check.fault(
            rowPath,
            'COMPONENT_LAYOUT_WIDTH_EXCEEDED',
            'The specified component exceeds the maximum width',
          );
        }
      } else {
        check.fault(`${path}.type`, 'UNION_TYPE_CHOICES', 'The value of field "type" must be one of (2, 3).');
      }
      const customId = part.custom_id;
      if (typeof customId !== 'string') continue;
      if (seen.has(customId)) {
        check.fault(
          `${path}.custom_id`,
          'COMPONENT_CUSTOM_ID_DUPLICATED',
          'Component custom id cannot be duplicated',
        );
      }
      seen.add(customId);
    }
  }
}

function checkButton(check: FormCheck, path: string, button: Json): void {
  check.text(`${path}.label`, button.label, { max: 80 });
  if (!button.label && !button.emoji) {
    check.fault(`${path}.label`, 'BASE_TYPE_REQUIRED', 'A button must have a label or an emoji');
  }
  if (button.style === ButtonStyle.Link) {
    checkUrl(check, `${path}.url`, button.url, ['http:', 'https:', 'discord:']);
  } else {
    check.text(`${path}.custom_id`, button.custom_id, { min: 1, max: 100, required: true });
  }
}

function checkSelect(check: FormCheck, path: string, select: Json): void {
  check.text(`${path}.custom_id`, select.custom_id, { min: 1, max: 100, required: true });
  check.text(`${path}.placeholder`, select.placeholder, { max: 150 });
  const options = check.list(`${path}.options`, select.options, { min: 1, max: 25 });
  const values = new Set<unknown>();
  for (const [index, option] of options.entries()) {
    const at = `${path}.options.${index}`;
    check.text(`${at}.label`, option.label, { min: 1, max: 100, required: true });
    check.text(`${at}.value`, option.value, { min: 1, max: 100, required: true });
    check.text(`${at}.description`, option.description, { max: 100 });
    if (values.has(option.value)) {
      check.fault(
        `${at}.value`,
        'SELECT_COMPONENT_OPTION_VALUE_DUPLICATED',
        'The specified option value is already used',
      );
    }
    values.add(option.value);
  }
  const most = Number(select.max_values ?? 1);
  if (most > options.length) {
    check.fault(
      `${path}.max_values`,
      'NUMBER_TYPE_MAX',
      `int value should be less than or equal to ${options.length}.`,
    );
  }
}

/** A modal's inputs, whichever of the two wrappings (action row, or label) the bot used. */
export function modalInputs(modal: Json): { input: Json; label: string; path: string }[] {
  return objectsOf(modal.components).flatMap((wrapper, index) => {
    const path = `components.${index}`;
    if (wrapper.type === ComponentType.Label && isJson(wrapper.component)) {
      return [{ input: wrapper.component, label: String(wrapper.label ?? ''), path: `${path}.component` }];
    }
    return objectsOf(wrapper.components).map((input, at) => ({
      input,
      label: String(input.label ?? ''),
      path: `${path}.components.${at}`,
    }));
  });
}

/** @throws DiscordError 50035 that names every fault of a modal */
export function checkModal(modal: Json): void {
  const check = new FormCheck();
  check.text('title', modal.title, { min: 1, max: 45, required: true });
  check.text('custom_id', modal.custom_id, { min: 1, max: 100, required: true });
  check.list('components', modal.components, { min: 1, max: 5 });
  for (const { input, label, path } of modalInputs(modal)) {
    check.text(`${path}.label`, label, { min: 1, max: 45, required: true });
    if (input.type === ComponentType.TextInput) {
      check.text(`${path}.custom_id`, input.custom_id, { min: 1, max: 100, required: true });
      check.text(`${path}.placeholder`, input.placeholder, { max: 100 });
      check.text(`${path}.value`, input.value, { max: 4000 });
    } else if (input.type === ComponentType.StringSelect) {
      checkSelect(check, path, input);
    } else {
      check.fault(`${path}.type`, 'UNION_TYPE_CHOICES', 'The value of field "type" must be one of (3, 4).');
    }
  }
  check.done();
}

/** @throws DiscordError 50035 for more than 25 choices, or a name or value over 100 characters */
export function checkChoices(choices: unknown): void {
  const check = new FormCheck();
  for (const [index, choice] of check.list('data.choices', choices, { max: 25 }).entries()) {
    check.text(`data.choices.${index}.name`, choice.name, { min: 1, max: 100, required: true });
    if (typeof choice.value === 'string') {
      check.text(`data.choices.${index}.value`, choice.value, { min: 1, max: 100, required: true });
    }
  }
  check.done();
}
