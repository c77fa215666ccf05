import { api } from './api.ts';
import { boards } from './boards.ts';
import { dispatch } from './dispatch.ts';
import { pictures } from './pictures.ts';
import type { Part } from './row.ts';
import { sandbox } from './sandbox.ts';

/** Every part of `npm run bench`, in the order in which they run. */
export const parts: Part[] = [sandbox, dispatch, api, boards, pictures];
