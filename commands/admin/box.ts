/** `/admin box`: the machines that run submissions. */
import { randomBytes } from 'node:crypto';
import {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  type SlashCommandSubcommandBuilder,
} from 'discord.js';
import { listBoxEvents } from '../../src/db/box-checks.ts';
import {
  type BoxRow,
  countLeasedJobs,
  drainBox,
  findBox,
  listBoxes,
  lockBoxState,
  notifyBoxes,
  removeBox,
  resumeBox,
} from '../../src/db/boxes.ts';
import type { Db } from '../../src/db/client.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import type { ChangeNote } from '../../src/domain/audit.ts';
import { type NewBox, parseContainer, type SandboxChoice } from '../../src/domain/box.ts';
import { UserError } from '../../src/domain/errors.ts';
import { boxHistoryLines, boxListEmbed } from '../../src/reports/box-embed.ts';
import { code } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { completeBox } from './box-choices.ts';
import { HERE, readClusterOptions, withClusterOptions } from './cluster-options.ts';
import type { AdminGroup } from './group.ts';
import { LiveFindings } from './live-findings.ts';

const CONFIRM_MS = 10 * 60_000;

/** Boxes whose host key waits to be confirmed. */
const pending = new Map<string, NewBox>();

function nameOf(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub.addStringOption((option) =>
    option.setName('name').setDescription('Which one').setRequired(true).setAutocomplete(true),
  );
}

export const boxGroup: AdminGroup = {
  name: 'box',

  build: (group) =>
    group
      .setDescription('The machines that run submissions')
      .addSubcommand((sub) => {
        sub
          .setName('add')
          .setDescription('Register a machine that is reached over SSH, or a cluster')
          .addStringOption((option) =>
            option.setName('name').setDescription('What to call it').setRequired(true).setMaxLength(40),
          )
          .addStringOption((option) =>
            option.setName('host').setDescription('Host name or address').setRequired(true).setMaxLength(255),
          )
          .addStringOption((option) =>
            option.setName('user').setDescription('User to log in as').setRequired(true).setMaxLength(64),
          )
          .addIntegerOption((option) =>
            option.setName('port').setDescription('SSH port (22)').setMinValue(1).setMaxValue(65_535),
          )
          .addStringOption((option) =>
            option
              .setName('gpu')
              .setDescription('GPU type; left out: from what is found there')
              .setMaxLength(100),
          )
          .addIntegerOption((option) =>
            option
              .setName('slots')
              .setDescription('Jobs at once; left out: one per GPU')
              .setMinValue(1)
              .setMaxValue(64),
          )
          .addBooleanOption((option) =>
            option
              .setName('unsafe')
              .setDescription('Run submissions there even without a sandbox; every result says so'),
          );
        sub.addStringOption((option) =>
          option
            .setName('container')
            .setDescription('docker:IMAGE or podman:IMAGE as the sandbox, instead of bubblewrap')
            .setMaxLength(300),
        );
        return withClusterOptions(sub);
      })
      .addSubcommand((sub) => sub.setName('list').setDescription('All machines and how they are'))
      .addSubcommand((sub) =>
        nameOf(sub.setName('doctor').setDescription('Look a machine over, now and in full')),
      )
      .addSubcommand((sub) =>
        nameOf(
          sub.setName('drain').setDescription('Start nothing new there; what runs ends in its own time'),
        ),
      )
      .addSubcommand((sub) =>
        nameOf(sub.setName('resume').setDescription('Use a drained or quarantined machine again')),
      )
      .addSubcommand((sub) =>
        nameOf(sub.setName('remove').setDescription('Take a machine out; what runs there ends first')),
      ),

  run: { add: addBox, list: showBoxes, doctor: examine, drain, resume, remove: dropBox },

  complete: (interaction, context) => completeBox(context, interaction.options.getFocused()),

  /** `admin:box:confirm:<key>` and `admin:box:cancel:<key>` */
  async press(interaction, [action, key = ''], context) {
    const draft = pending.get(key);
    pending.delete(key);
    if (!draft) throw new UserError('choice-expired');
    if (action === 'confirm') return confirmBox(interaction, context, draft);
    await interaction.editReply({
      embeds: [noticeEmbed('Not added', 'Nothing was registered.')],
      components: [],
    });
  },
};

/** One type, or several with commas or blanks between. */
function readGpuTypes(text: string): string[] {
  const types = text.split(/[\s,]+/).filter((word) => word !== '');
  for (const gpu of types.length > 0 ? types : [text]) {
    if (!/^[A-Za-z0-9][\w.-]{0,31}$/.test(gpu)) throw new UserError('box-gpu', { gpu });
  }
  return types;
}

function readSandbox(container: string | null): SandboxChoice {
  if (container === null) return { engine: 'bubblewrap' };
  const chosen = parseContainer(container);
  if (!chosen) throw new UserError('box-container', { container });
  return chosen;
}

async function addBox(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options } = interaction;
  const name = options.getString('name', true);
  if (!/^[A-Za-z0-9_.-]{1,40}$/.test(name)) throw new UserError('box-name', { box: name });
  if (await findBox(context.sql, name)) throw new UserError('box-exists', { box: name });
  const host = options.getString('host', true).trim();
  const port = options.getInteger('port') ?? 22;
  const gpu = options.getString('gpu');
  const wish = {
    name,
    gpuTypes: gpu === null ? null : readGpuTypes(gpu),
    slots: options.getInteger('slots'),
    unsafe: options.getBoolean('unsafe') ?? false,
    sandbox: readSandbox(options.getString('container')),
    slurm: readClusterOptions(interaction),
  } as const;
  if (wish.slurm !== null && host === HERE) {
    await confirmBox(interaction, context, {
      ...wish,
      host: null,
      port: null,
      username: null,
      hostKey: null,
    });
    return;
  }
  const { fingerprint, type } = await context.boxes.scan(host, port);
  const username = options.getString('user', true).trim();
  const draft: NewBox = { ...wish, host, port, username, hostKey: fingerprint };
  context.record.settle();
  const key = randomBytes(8).toString('hex');
  pending.set(key, draft);
  setTimeout(() => pending.delete(key), CONFIRM_MS).unref();

  const buttons = [
    new ButtonBuilder()
      .setCustomId(`admin:box:confirm:${key}`)
      .setLabel('It is this key: add the box')
      .setStyle(ButtonStyle.Success),
    new ButtonBuilder()
      .setCustomId(`admin:box:cancel:${key}`)
      .setLabel('Cancel')
      .setStyle(ButtonStyle.Secondary),
  ];
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `Is this ${host}?`,
        [
          `The server shows the host key (${type})`,
          code(fingerprint),
          'Compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine itself. It is pinned: should it ever change, Hotlap stops talking to that address.',
          '',
          `Hotlap logs in as ${code(username)} with this key, which must stand in \`~/.ssh/authorized_keys\` there:`,
          code(await context.boxes.publicKey()),
        ].join('\n'),
      ),
    ],
    components: [new ActionRowBuilder<ButtonBuilder>().addComponents(buttons)],
  });
}

async function confirmBox(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
  context: CommandContext,
  draft: NewBox,
): Promise<void> {
  const live = new LiveFindings(interaction, `Adding ${draft.name}`);
  try {
    if (draft.hostKey !== null)
      live.add({ name: 'Host key', state: 'ok', text: `${draft.hostKey}, confirmed and pinned` });
    const { gpuTypes, slots } = await context.boxes.register(draft, (step) => live.add(step));
    const { host, port, hostKey, unsafe } = draft;
    const after = { host, port, hostKey, unsafe, gpuTypes, slots };
    await context.record.note(context.sql, { subject: `box ${draft.name}`, after });
    await live.end(`${draft.name} is ready for ${gpuTypes.join(', ')}`, 'good', 'It takes jobs from now on.');
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    context.record.settle();
    await live.end(`${draft.name} was not added`, 'bad', `${error.text}\n\n**What to do** ${error.next}`);
  }
}

async function showBoxes(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const boxes = await listBoxes(context.sql);
  const views = await Promise.all(
    boxes.map(async (box) => ({
      ...box,
      slots: box.lanes.length,
      address: box.host === null ? null : `${box.username}@${box.host}:${box.port}`,
      running: await countLeasedJobs(context.sql, box.id),
    })),
  );
  await interaction.editReply({ embeds: [boxListEmbed(views)] });
}

async function examine(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const box = await namedBox(interaction, context);
  const live = new LiveFindings(interaction, `Looking at ${box.name}`);
  await context.boxes.examine(box, (finding) => live.add(finding));
  const now = (await findBox(context.sql, box.name))?.state ?? 'removed';
  await context.record.note(context.sql, changeOf(box, now));
  const history = boxHistoryLines(await listBoxEvents(context.sql, box.id, 5));
  const isBad = live.findings.some((finding) => finding.state === 'bad');
  const verdict = isBad ? 'Mend what is marked ❌ above.' : 'Nothing is out of order.';
  const text = [`${verdict} The box is **${now}**.`, ...(history.length > 0 ? ['', ...history] : [])].join(
    '\n',
  );
  await live.end(`${box.name}: ${isBad ? 'trouble' : 'in order'}`, isBad ? 'bad' : 'good', text);
}

async function drain(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const box = await namedBox(interaction, context);
  const already = await context.sql.begin(async (tx) => {
    const now = await lockNamed(tx, box);
    if (now.state === 'draining') return true;
    await drainBox(tx, box.id, `by ${interaction.user.username}`);
    await context.record.note(tx, changeOf(now, 'draining'));
    return false;
  });
  if (already) context.record.settle();
  await notifyBoxes(context.sql);
  const running = await countLeasedJobs(context.sql, box.id);
  const text =
    running > 0
      ? `Nothing new is started there. ${running} ${running === 1 ? 'job ends' : 'jobs end'} in its own time; \`/admin box list\` says when it is drained.`
      : 'Nothing runs there, and nothing new is started.';
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${box.name} is being drained${already ? ' already' : ''}`,
        `${text} \`/admin box resume\` takes it back into use.`,
      ),
    ],
  });
}

async function resume(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const box = await namedBox(interaction, context);
  await context.sql.begin(async (tx) => {
    const now = await lockNamed(tx, box);
    if (!(await resumeBox(tx, box.id, `resumed by ${interaction.user.username}`)))
      throw new UserError('box-not-stopped', { box: box.name, state: now.state });
    await context.record.note(tx, changeOf(now, 'ready'));
  });
  await notifyBoxes(context.sql);
  await interaction.editReply({
    embeds: [noticeEmbed(`${box.name} is in use again`, 'It takes jobs from now on.')],
  });
}

/** Somebody else may be at it in the same moment. Throws where it was removed. */
async function lockNamed(tx: Db, box: BoxRow): Promise<BoxRow> {
  const state = await lockBoxState(tx, box.id);
  if (state === 'removed') throw new UserError('unknown-box', { box: box.name });
  return { ...box, state };
}

function changeOf(box: BoxRow, state: string): ChangeNote {
  return { subject: `box ${box.name}`, before: { state: box.state }, after: { state } };
}

async function namedBox(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<BoxRow> {
  const name = interaction.options.getString('name', true);
  const box = await findBox(context.sql, name);
  if (!box) throw new UserError('unknown-box', { box: name });
  return box;
}

async function dropBox(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const box = await namedBox(interaction, context);
  await context.sql.begin(async (tx) => {
    const now = await lockNamed(tx, box);
    await removeBox(tx, box.id);
    await context.record.note(tx, changeOf(now, 'removed'));
  });
  await notifyBoxes(context.sql);
  const running = await countLeasedJobs(context.sql, box.id);
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${box.name} is taken out`,
        running > 0
          ? 'It gets no new jobs. What runs there now ends in its own time and is counted.'
          : 'It gets no new jobs.',
      ),
    ],
  });
}
