import '@skyra/discord-components-core';
import type { PlayEvent } from '../play-protocol.ts';

const app = document.querySelector('#app');
const socket = new WebSocket(
  `ws://${location.host}/play/live?user=${new URLSearchParams(location.search).get('user')}`,
);
socket.addEventListener('message', (event) => {
  const update = JSON.parse(String(event.data)) as PlayEvent;
  if (update.type === 'hello' && app !== null) app.textContent = `You are ${update.state.me.name}`;
});
