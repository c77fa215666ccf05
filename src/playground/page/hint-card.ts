import { h, icon } from './dom.ts';

const seenKey = 'hotlap-hint-seen';

/** What to do first. Gone for good once closed. */
export function hintCard(): HTMLElement | undefined {
  if (localStorage.getItem(seenKey) !== null) return undefined;
  const card = h(
    'aside',
    { class: 'hint', 'aria-label': 'First steps' },
    h(
      'button',
      {
        type: 'button',
        class: 'hint-close',
        'aria-label': 'Close',
        onclick: () => {
          localStorage.setItem(seenKey, 'yes');
          card.remove();
        },
      },
      icon('close'),
    ),
    h('h3', {}, 'A place to try everything'),
    h(
      'ul',
      {},
      h('li', {}, 'Type ', h('kbd', {}, '/'), ' to see the commands.'),
      h(
        'li',
        {},
        'Attach a starter submission to ',
        h('b', {}, '/submit'),
        '; ',
        h('b', {}, '/leaderboard template'),
        ' gives you one.',
      ),
      h('li', {}, 'Switch users at the bottom left: each sees only what is meant for them.'),
    ),
    h('p', {}, 'No message leaves this machine. The bot is the same program that runs on Discord.'),
  );
  return card;
}
