const discordEpochMs = 1_420_070_400_000n;
let last = 0n;

/** A new Discord-like id: milliseconds since 2015 in the upper bits, always larger than the one before. */
export function nextSnowflake(): string {
  const now = (BigInt(Date.now()) - discordEpochMs) << 22n;
  last = now > last ? now : last + 1n;
  return last.toString();
}
