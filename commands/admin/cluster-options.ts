/** The options of `/admin box add` for a Slurm cluster. */
import type { ChatInputCommandInteraction, SlashCommandSubcommandBuilder } from 'discord.js';
import { UserError } from '../../src/domain/errors.ts';
import { parseSbatchOptions, type SlurmOptions, slurmOptions } from '../../src/domain/slurm.ts';

/** What stands for the login node where Hotlap itself runs on it. */
export const HERE = 'local';

const texts = {
  partition: 'Cluster: partition; left out: the default one',
  gres: 'Cluster: what each job asks for, gpu:h100; left out: no GPU',
  account: 'Cluster: account that jobs are charged to',
  qos: 'Cluster: quality of service',
  sbatch: 'Cluster: further options of sbatch, --constraint=a100 --mem=64G',
  folder: 'Cluster: folder that login and compute nodes share; left out: in the home',
} as const;
const names = Object.keys(texts) as (keyof typeof texts)[];

export function withClusterOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  sub.addStringOption((option) =>
    option
      .setName('kind')
      .setDescription('One machine, or a cluster by its login node (machine)')
      .addChoices({ name: 'machine', value: 'ssh' }, { name: 'Slurm cluster', value: 'slurm' }),
  );
  for (const name of names)
    sub.addStringOption((option) =>
      option
        .setName(name)
        .setDescription(texts[name])
        .setMaxLength(name === 'sbatch' ? 1000 : 200),
    );
  return sub;
}

/** Null: one machine. Throws UserError `cluster-options`. */
export function readClusterOptions({ options }: ChatInputCommandInteraction): SlurmOptions | null {
  const text = (name: keyof typeof texts) => options.getString(name)?.trim() || null;
  if (options.getString('kind') !== 'slurm') {
    const given = names.filter((name) => text(name) !== null);
    if (given.length === 0) return null;
    throw new UserError('cluster-options', {
      problem: `${given[0]} is for a cluster, and kind does not say so.`,
    });
  }
  const further = parseSbatchOptions(text('sbatch') ?? '');
  if (further.problem !== null) throw new UserError('cluster-options', { problem: `${further.problem}.` });
  const folder = text('folder');
  if (folder !== null && !/^[/~]/.test(folder)) {
    throw new UserError('cluster-options', { problem: `the folder ${folder} does not begin with / or ~.` });
  }
  const parsed = slurmOptions.safeParse({
    partition: text('partition'),
    account: text('account'),
    qos: text('qos'),
    gres: text('gres'),
    options: further.options,
    root: folder,
  });
  if (parsed.success) return parsed.data;
  const where = String(parsed.error.issues[0]?.path[0] ?? 'it');
  throw new UserError('cluster-options', { problem: `${where} is not as Slurm writes it.` });
}
