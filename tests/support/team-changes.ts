/** Samples for the commands around teams: mira founds one anew for each. */
import { findTeamOf } from '../../src/db/teams.ts';
import {
  createTeam,
  disbandTeam,
  inviteToTeam,
  joinTeam,
  setTeamRules,
  setTeamSharing,
} from '../../src/intake/teams.ts';
import { makeUser, testRecord } from '../db/scene.ts';
import type { ChangeScene, Sample } from './change-scene.ts';

let founded = 0;

/** Of mira alone. What was there before is gone, and nobody waits for anything. */
export async function freshTeam(scene: ChangeScene): Promise<string> {
  const name = await noTeam(scene);
  const { sql, mira } = scene;
  await createTeam(sql, { id: mira.id, name: 'mira' }, { name, shares: false }, testRecord());
  return name;
}

/** A name that no team has. */
async function noTeam({ sql, mira, admin }: ChangeScene): Promise<string> {
  await setTeamRules(sql, { maxMembers: 4, waitDays: 0 }, testRecord());
  for (const { id } of [mira, admin]) {
    const team = await findTeamOf(sql, id);
    if (team) await disbandTeam(sql, { team: team.name, reason: null }, testRecord());
  }
  return `Odd Warps ${++founded}`;
}

/** A team of mira's with a second member. */
async function teamOfTwo(scene: ChangeScene) {
  const name = await freshTeam(scene);
  const other = makeUser();
  await inviteToTeam(scene.sql, scene.mira.id, other, testRecord());
  await joinTeam(scene.sql, other, name, testRecord());
  return { name, other };
}

export const teamChanges: Record<string, Sample> = {
  async 'team create'(scene) {
    const name = await noTeam(scene);
    await scene.say(scene.mira, '/team create', { name, share: true });
    return { by: scene.mira.id, subject: `team ${name}`, after: { founder: scene.mira.id, shares: true } };
  },

  async 'team invite'(scene) {
    const name = await freshTeam(scene);
    await scene.say(scene.mira, '/team invite', { user: scene.judge.id });
    return { by: scene.mira.id, subject: `team ${name}`, after: { invited: scene.judge.id } };
  },

  async 'team join'(scene) {
    const name = await freshTeam(scene);
    const { sql, mira, admin } = scene;
    await inviteToTeam(sql, mira.id, { id: admin.id, name: 'admin' }, testRecord());
    await scene.say(admin, '/team join', { team: name.toLowerCase() });
    return { by: admin.id, subject: `team ${name}`, after: { joined: admin.id, members: 2 } };
  },

  async 'team leave'(scene) {
    const { name } = await teamOfTwo(scene);
    const by = scene.mira.id;
    await scene.say(scene.mira, '/team leave');
    return { by, subject: `team ${name}`, before: { member: by }, after: { members: 1 } };
  },

  async 'team share'(scene) {
    const name = await freshTeam(scene);
    await setTeamSharing(scene.sql, scene.mira.id, true, testRecord());
    await scene.say(scene.mira, '/team share', { on: false });
    const [before, after] = [{ shares: true }, { shares: false }];
    return { by: scene.mira.id, subject: `team ${name}`, before, after };
  },

  async 'team rename'(scene) {
    const name = await freshTeam(scene);
    await scene.say(scene.mira, '/team rename', { name: `${name} b` });
    return { by: scene.mira.id, subject: `team ${name}`, before: { name }, after: { name: `${name} b` } };
  },

  async 'team remove'(scene) {
    const name = await freshTeam(scene);
    const invited = { id: scene.judge.id, name: 'judith' };
    await inviteToTeam(scene.sql, scene.mira.id, invited, testRecord());
    await scene.say(scene.mira, '/team remove', { user: invited.id });
    return { by: scene.mira.id, subject: `team ${name}`, before: { invited: invited.id } };
  },

  async 'team disband'(scene) {
    const { name, other } = await teamOfTwo(scene);
    const by = scene.mira.id;
    await scene.say(scene.mira, '/team disband');
    return { by, subject: `team ${name}`, before: { members: [by, other.id] } };
  },

  async 'admin team rules'(scene) {
    await noTeam(scene);
    await scene.say(scene.admin, '/admin team rules', { max_members: 6 });
    const [before, after] = [
      { maxMembers: 4, waitDays: 0 },
      { maxMembers: 6, waitDays: 0 },
    ];
    return { by: scene.admin.id, subject: 'teams', before, after };
  },

  async 'admin team rename'(scene) {
    const name = await freshTeam(scene);
    await scene.say(scene.admin, '/admin team rename', { team: name, name: `${name} c`, reason: 'Rude.' });
    const after = { name: `${name} c` };
    return { by: scene.admin.id, subject: `team ${name}`, before: { name }, after, reason: 'Rude.' };
  },

  async 'admin team disband'(scene) {
    const name = await freshTeam(scene);
    await scene.say(scene.admin, '/admin team disband', { team: name, reason: 'One person twice.' });
    const before = { members: [scene.mira.id] };
    return { by: scene.admin.id, subject: `team ${name}`, before, reason: 'One person twice.' };
  },
};
