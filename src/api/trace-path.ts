/** Where a recording of profile mode is fetched. */
export function tracePath(submissionId: number, traceId: number): string {
  return `/user/submissions/${submissionId}/traces/${traceId}`;
}
