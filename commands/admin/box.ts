/** `/admin box`: the machines that run submissions. */
import { randomBytes } from 'node:crypto';
import {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
} from 'discord.js';
import { countLeasedJobs, findBox, listBoxes, notifyBoxes, removeBox } from '../../src/db/boxes.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import type { NewBox } from '../../src/domain/box.ts';
import { UserError } from '../../src/domain/errors.ts';
import { boxListEmbed, probeLines } from '../../src/reports/box-embed.ts';
import { code } from '../../src/reports/markdown.ts';
import { noticeEmbed, refusalEmbed } from '../../src/reports/notice-embed.ts';
import type { AdminGroup } from './group.ts';

const CONFIRM_MS = 10 * 60_000;

/** Boxes whose host key waits to be confirmed. */
const pending = new Map<string, NewBox>();

export const boxGroup: AdminGroup = {
  name: 'box',

  build: (group) =>
    group
      .setDescription('The machines that run submissions')
      .addSubcommand((sub) =>
        sub
          .setName('add')
          .setDescription('Register a machine that is reached over SSH')
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
            option.setName('slots').setDescription('Jobs at once (1)').setMinValue(1).setMaxValue(64),
          ),
      )
      .addSubcommand((sub) => sub.setName('list').setDescription('All machines and how they are'))
      .addSubcommand((sub) =>
        sub
          .setName('remove')
          .setDescription('Take a machine out; what runs there ends first')
          .addStringOption((option) =>
            option.setName('name').setDescription('Which one').setRequired(true).setAutocomplete(true),
          ),
      ),

  run: { add: addBox, list: showBoxes, remove: dropBox },

  async complete(interaction, context) {
    const typed = interaction.options.getFocused().toLowerCase();
    const boxes = await listBoxes(context.sql);
    return boxes
      .filter((box) => box.name.toLowerCase().includes(typed))
      .map((box) => ({ name: `${box.name} (${box.gpuTypes.join(', ')})`, value: box.name }));
  },

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

async function addBox(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options } = interaction;
  const name = options.getString('name', true);
  if (!/^[A-Za-z0-9_.-]{1,40}$/.test(name)) throw new UserError('box-name', { box: name });
  if (await findBox(context.sql, name)) throw new UserError('box-exists', { box: name });
  const host = options.getString('host', true).trim();
  const port = options.getInteger('port') ?? 22;
  const gpu = options.getString('gpu');
  const { fingerprint, type } = await context.boxes.scan(host, port);
  const draft: NewBox = {
    name,
    host,
    port,
    username: options.getString('user', true).trim(),
    hostKey: fingerprint,
    gpuTypes: gpu === null ? null : gpu.split(/[\s,]+/).filter((word) => word !== ''),
    slots: options.getInteger('slots') ?? 1,
  };
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
          `Hotlap logs in as ${code(draft.username)} with this key, which must stand in \`~/.ssh/authorized_keys\` there:`,
          code(await context.boxes.publicKey()),
        ].join('\n'),
      ),
    ],
    components: [new ActionRowBuilder<ButtonBuilder>().addComponents(buttons)],
  });
}

async function confirmBox(
  interaction: MessageComponentInteraction,
  context: CommandContext,
  draft: NewBox,
): Promise<void> {
  await interaction.editReply({
    embeds: [noticeEmbed(`Adding ${draft.name}`, 'Logging in and looking around …')],
    components: [],
  });
  try {
    const { gpuTypes, probe } = await context.boxes.register(draft);
    const title = `${draft.name} is ready for ${gpuTypes.join(', ')}`;
    await interaction.editReply({ embeds: [noticeEmbed(title, probeLines(probe).join('\n'))] });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    await interaction.editReply({ embeds: [refusalEmbed(error)] });
  }
}

async function showBoxes(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const boxes = await listBoxes(context.sql);
  const views = await Promise.all(
    boxes.map(async (box) => ({
      ...box,
      address: box.host === null ? null : `${box.username}@${box.host}:${box.port}`,
      running: await countLeasedJobs(context.sql, box.id),
    })),
  );
  await interaction.editReply({ embeds: [boxListEmbed(views)] });
}

async function dropBox(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const name = interaction.options.getString('name', true);
  const box = await findBox(context.sql, name);
  if (!box) throw new UserError('unknown-box', { box: name });
  await removeBox(context.sql, box.id);
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
