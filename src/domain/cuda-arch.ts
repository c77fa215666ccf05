/** The architecture that nvcc compiles for, by GPU type (problem-format 1.1). */

const archs: Record<string, string> = {
  T4: '75',
  A100: '80',
  L4: '89',
  H100: '90a',
  H200: '90a',
  B200: '100',
};

/**
 * `90a` for `H100`, `H100x8` and `h100_somewhere`. Null for a type that says nothing of its architecture: then nvcc
 * takes that of the GPU that it finds.
 */
export function cudaArch(gpuType: string): string | null {
  const model = gpuType.toUpperCase().replace(/_.*$/, '').replace(/X\d+$/, '');
  return archs[model] ?? null;
}
