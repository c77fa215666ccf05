/**
 * The component library draws Discord of some years ago and keeps its styles in shadow roots. Its constructors hold the
 * list of style sheets for new elements; adding ours at the end is how a detail is changed.
 */
const details: Record<string, string> = {
  'discord-message': `
    :host { padding-left: 16px; padding-right: 24px; }
    :host(:hover) { background-color: var(--row-hover); }
    :host([ephemeral]) { background-color: var(--row-ephemeral); }
    :host([ephemeral]:hover) { background-color: var(--row-ephemeral-hover); }
    .discord-message-content { min-width: 0; }
    .discord-message-timestamp { color: var(--text-faint); }
    .discord-message-ephemeral { color: var(--text-faint); }
    .discord-message-ephemeral svg { vertical-align: -3px; }
    .discord-message-body-only-indent { flex: none; margin-left: 0; }
  `,
  'discord-embed': `
    :host { max-width: 100%; }
    .discord-embed-root { min-width: 0; }
    .discord-embed-wrapper { background-color: var(--surface) !important; border-color: transparent !important; max-width: min(560px, 100%); }
    .discord-embed-grid { min-width: 0; grid-template-columns: minmax(0, 1fr) auto !important; }
    .discord-embed-image { max-width: 100% !important; width: auto; }
    slot[name='description']::slotted(*), slot[name='fields']::slotted(*) { min-width: 0; grid-column: 1 / 2; }
  `,
  'discord-button': `
    :host > *:first-child { border-radius: 8px; transition: background-color 120ms ease; font-size: 14px; }
    .success { background-color: #248046; } .success.hoverable:hover { background-color: #1a6334; }
    .destructive { background-color: #da373c; } .destructive.hoverable:hover { background-color: #a12828; }
    .secondary { background-color: #4e5058; } .secondary.hoverable:hover { background-color: #6d6f78; }
    button:focus-visible, a:focus-visible { outline: 2px solid #00a8fc; outline-offset: 2px; }
    a { gap: 6px; }
    :host(.busy) > *:first-child { opacity: 0.55; cursor: progress; }
  `,
  'discord-command': `
    .discord-replied-message-content { white-space: nowrap; }
  `,
  'discord-mention': ':host { font-weight: 500; }',
  'discord-embed-footer': ':host { color: var(--text-soft); }',
  'discord-file-attachment': `
    .discord-file-attachment-mosaic-style { background-color: var(--surface) !important; border-color: var(--line) !important; }
  `,
};

/** Call before the first of these elements is made. */
export function dressComponents(): void {
  for (const [tag, css] of Object.entries(details)) {
    const component = customElements.get(tag) as { elementStyles?: CSSStyleSheet[] } | undefined;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    component?.elementStyles?.push(sheet);
  }
}
