/** A small real discord.js bot that uses every part of Discord the stand-in offers: what the playground is tested with. */
import {
  ActionRowBuilder,
  ApplicationCommandOptionType,
  AttachmentBuilder,
  ButtonBuilder,
  type ButtonInteraction,
  ButtonStyle,
  type ChatInputCommandInteraction,
  Client,
  EmbedBuilder,
  Events,
  GatewayIntentBits,
  type Interaction,
  MessageFlags,
  ModalBuilder,
  PermissionFlagsBits,
  REST,
  type RESTPostAPIApplicationCommandsJSONBody,
  Routes,
  StringSelectMenuBuilder,
  TextInputBuilder,
  TextInputStyle,
} from 'discord.js';
import type { Playground } from '../../src/playground/playground.ts';

const { Attachment, Integer, String: Text, Subcommand, SubcommandGroup } = ApplicationCommandOptionType;

export const botCommands: RESTPostAPIApplicationCommandsJSONBody[] = [
  {
    name: 'submit',
    description: 'Submit a file',
    options: [
      { name: 'file', description: 'The file', type: Attachment, required: true },
      { name: 'board', description: 'The board', type: Text, autocomplete: true },
      {
        name: 'mode',
        description: 'How to run it',
        type: Text,
        choices: [
          { name: 'ranked', value: 'ranked' },
          { name: 'test only', value: 'test' },
        ],
      },
      { name: 'times', description: 'How often', type: Integer, min_value: 1, max_value: 5 },
    ],
  },
  {
    name: 'board',
    description: 'Boards',
    options: [
      {
        name: 'show',
        description: 'Show a board',
        type: Subcommand,
        options: [{ name: 'name', description: 'Its name', type: Text, required: true }],
      },
      {
        name: 'archive',
        description: 'Old boards',
        type: SubcommandGroup,
        options: [{ name: 'list', description: 'List them', type: Subcommand }],
      },
    ],
  },
  {
    name: 'submissions',
    description: 'Submissions',
    options: [{ name: 'mine', description: 'Your own', type: Subcommand }],
  },
  { name: 'menu', description: 'Buttons and a menu' },
  { name: 'feedback', description: 'A form' },
  { name: 'whisper', description: 'A direct message' },
  { name: 'retract', description: 'Takes its public answer back and says the rest in private' },
  { name: 'silent', description: 'Never answers' },
  {
    name: 'admin',
    description: 'For organisers',
    default_member_permissions: PermissionFlagsBits.ManageGuild.toString(),
  },
];

export interface TestBot {
  client: Client<true>;
  rest: REST;
  stop(): Promise<void>;
}

/** Registers the commands with @discordjs/rest and connects the client. */
export async function startTestBot(playground: Playground): Promise<TestBot> {
  const rest = new REST({ api: playground.restApi, version: '10' }).setToken(playground.token);
  const route = Routes.applicationGuildCommands(playground.applicationId, playground.guildId);
  await rest.put(route, { body: botCommands });
  const client = new Client({
    intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.DirectMessages],
    rest: { api: playground.restApi },
  });
  client.on(Events.InteractionCreate, (interaction) => {
    respond(interaction).catch((error: unknown) => client.emit('error', error as Error));
  });
  const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
  await client.login(playground.token);
  await ready;
  return { client: client as Client<true>, rest, stop: () => client.destroy() };
}

async function respond(interaction: Interaction): Promise<void> {
  if (interaction.isAutocomplete()) {
    const typed = interaction.options.getFocused();
    const all = ['matmul', 'softmax', 'prefix-sum'].filter((name) => name.startsWith(typed));
    return interaction.respond(all.map((name) => ({ name: `${name} (open)`, value: name })));
  }
  if (interaction.isChatInputCommand()) return command(interaction);
  if (interaction.isButton()) return button(interaction);
  if (interaction.isStringSelectMenu()) {
    await interaction.deferUpdate();
    await interaction.editReply({ content: `chosen: ${interaction.values.join(' and ')}`, components: [] });
  }
  if (interaction.isModalSubmit()) {
    const text = interaction.fields.getTextInputValue('text');
    await interaction.reply({ content: `thank you for “${text}”`, flags: MessageFlags.Ephemeral });
  }
}

async function command(interaction: ChatInputCommandInteraction): Promise<void> {
  switch (interaction.commandName) {
    case 'submit':
      return submit(interaction);
    case 'board': {
      const where = [interaction.options.getSubcommandGroup(), interaction.options.getSubcommand()];
      const name = interaction.options.getString('name') ?? '';
      await interaction.reply({ content: [...where, name].filter(Boolean).join(' ') });
      return;
    }
    case 'menu':
      await interaction.reply({ content: 'choose', components: menuRows() });
      return;
    case 'feedback':
      await interaction.showModal(
        new ModalBuilder()
          .setCustomId('feedback')
          .setTitle('Feedback')
          .addComponents(
            new ActionRowBuilder<TextInputBuilder>().addComponents(
              new TextInputBuilder().setCustomId('text').setLabel('What?').setStyle(TextInputStyle.Paragraph),
            ),
          ),
      );
      return;
    case 'whisper':
      await interaction.deferReply({ flags: MessageFlags.Ephemeral });
      await interaction.user
        .send({
          content: 'psst',
          files: [new AttachmentBuilder(Buffer.from('secret'), { name: 'note.txt' })],
        })
        .then(() => interaction.editReply('sent'))
        .catch((error: { code?: number }) => interaction.editReply(`not sent: ${error.code}`));
      return;
    case 'submissions':
      await interaction.reply({ content: 'none yet', flags: MessageFlags.Ephemeral });
      return;
    case 'retract':
      await interaction.deferReply();
      await interaction.deleteReply();
      await interaction.followUp({ content: 'between us', flags: MessageFlags.Ephemeral });
      return;
    case 'admin':
      await interaction.reply({ content: 'hello organiser' });
      return;
    default:
      return;
  }
}

async function submit(interaction: ChatInputCommandInteraction): Promise<void> {
  const file = interaction.options.getAttachment('file', true);
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  const code = await (await fetch(file.url)).text();
  await interaction.editReply('queued');
  const { message } = await interaction.editReply('running').then((edited) => ({ message: edited }));
  const embed = new EmbedBuilder()
    .setTitle('Result')
    .setColor(0x23a55a)
    .addFields({ name: 'Mode', value: interaction.options.getString('mode') ?? 'ranked', inline: true });
  await interaction.editReply({
    content: `done: ${code.length} characters`,
    embeds: [embed],
    files: [new AttachmentBuilder(Buffer.from(`report of ${message.id}`), { name: 'report.txt' })],
  });
  await interaction.followUp({
    content: `<@${interaction.user.id}> submitted`,
    allowedMentions: { parse: [] },
  });
}

async function button(interaction: ButtonInteraction): Promise<void> {
  if (interaction.customId === 'count') {
    await interaction.update({ content: `pressed by ${interaction.user.username}` });
  } else if (interaction.customId === 'form') {
    await interaction.reply({ content: 'only for you', flags: MessageFlags.Ephemeral });
  }
}

function menuRows(): [ActionRowBuilder<ButtonBuilder>, ActionRowBuilder<StringSelectMenuBuilder>] {
  return [
    new ActionRowBuilder<ButtonBuilder>().addComponents(
      new ButtonBuilder().setCustomId('count').setLabel('Count').setStyle(ButtonStyle.Primary),
      new ButtonBuilder().setCustomId('form').setLabel('Private').setStyle(ButtonStyle.Secondary),
      new ButtonBuilder().setCustomId('off').setLabel('Off').setStyle(ButtonStyle.Danger).setDisabled(true),
      new ButtonBuilder().setURL('https://example.org/').setLabel('Read').setStyle(ButtonStyle.Link),
    ),
    new ActionRowBuilder<StringSelectMenuBuilder>().addComponents(
      new StringSelectMenuBuilder()
        .setCustomId('gpu')
        .setPlaceholder('Which GPU?')
        .setMaxValues(2)
        .addOptions(
          ['H100', 'B200', 'MI300'].map((label) => ({
            label,
            value: label.toLowerCase(),
            description: `an ${label}`,
          })),
        ),
    ),
  ];
}
