/** From what a driver calls a GPU to the short name that leaderboards use. A rule, not a list: new models need no code. */

/** Words of the driver's name that say nothing about the model. */
const noise =
  /^(nvidia|amd|intel|instinct|tesla|geforce|quadro|radeon|graphics|gpu|accelerator|corporation)$/i;

/** Where the field's usual short name is not the model's own. */
const fieldNames: Record<string, string> = { MI300X: 'MI300' };

/** `NVIDIA H100 80GB HBM3` -> `H100`, `NVIDIA GeForce RTX 4090` -> `RTX4090`. Null when no model can be read. */
export function gpuTypeOf(model: string): string | null {
  const words = model
    .replace(/\((?:R|TM)\)/gi, ' ')
    .split(/[\s,/]+/)
    .filter((word) => word !== '' && !noise.test(word));
  const first = words[0];
  if (first === undefined) return null;
  const joined = /^(rtx|gtx|rx|arc|titan)$/i.test(first) && words[1] ? `${first}${words[1]}` : first;
  const name = (joined.split('-')[0] ?? '').toUpperCase();
  if (!/^[A-Z0-9._]{1,31}$/.test(name)) return null;
  return fieldNames[name] ?? name;
}
