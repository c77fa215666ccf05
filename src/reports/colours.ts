/** One meaning, one colour, everywhere. "Ours" is never the colour of a participant's failure. */
export const colours = {
  waiting: 0x80848e,
  running: 0x5865f2,
  good: 0x23a55a,
  bad: 0xf23f43,
  ours: 0xf0b232,
  podium: 0xfee75c,
} as const;
