/**
 * What a submission is written in, as boards tell it apart. A category, not a judgement: it goes by the file's name and,
 * in Python, by what the file imports.
 */

const byExtension: [RegExp, string][] = [
  [/\.(cu|cuh|cpp)$/i, 'CUDA'],
  [/\.(zip|tar\.gz|tgz)$/i, 'Archive'],
];

/** The first that fits: a Triton kernel imports torch as well. */
const byImport: [RegExp, string][] = [
  [/^\s*(?:import|from)\s+triton\b/m, 'Triton'],
  [/^\s*(?:import|from)\s+tilelang\b/m, 'TileLang'],
  [/^\s*(?:import|from)\s+helion\b/m, 'Helion'],
  [/^\s*(?:import|from)\s+cutlass\b/m, 'CuTe'],
  [/^\s*(?:import|from)\s+numba\b/m, 'Numba'],
  [/\bload_inline\s*\(|\bcpp_extension\b/, 'Inline C++'],
];

/** As far into a file as imports are looked for. */
const HEAD_BYTES = 100_000;

export function languageOf(fileName: string, bytes: Uint8Array): string {
  const known = byExtension.find(([pattern]) => pattern.test(fileName));
  if (known) return known[1];
  const source = new TextDecoder().decode(bytes.subarray(0, HEAD_BYTES));
  return byImport.find(([pattern]) => pattern.test(source))?.[1] ?? 'Python';
}
