// Discord's default avatars live on its CDN; these are drawn here, so that the page needs no network.

const botPicture = picture(
  '#ff6b4a',
  '<path d="M12 29a13 13 0 1 1 16 0" fill="none" stroke="#fff" stroke-width="3.2" stroke-linecap="round"/>' +
    '<path d="m20 24 7-10" stroke="#fff" stroke-width="3.2" stroke-linecap="round"/><circle cx="20" cy="24" r="2.6" fill="#fff"/>',
);

const colours = ['#5865f2', '#3ba55c', '#eb459e', '#f0b232', '#00a8fc'];

/** An image address for a user: the bot's mark, or the first letter on a colour of its own. */
export function avatarOf(user: { id: string; name: string; bot?: boolean | undefined }): string {
  if (user.bot) return botPicture;
  const colour = colours[Number(user.id.slice(-2)) % colours.length] ?? '#5865f2';
  const letter = /^[a-z0-9]/i.test(user.name) ? user.name.slice(0, 1).toUpperCase() : '?';
  return picture(
    colour,
    `<text x="20" y="26.5" font-family="Helvetica Neue,Arial,sans-serif" font-size="19" font-weight="600" fill="#fff" text-anchor="middle">${letter}</text>`,
  );
}

function picture(colour: string, inside: string): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" fill="${colour}"/>${inside}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
