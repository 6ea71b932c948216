/** Neither ended by somebody nor run out. */
export const isOpen = (
  access: { ended_at: number | null; expires_at: number },
  now = Date.now() / 1000,
): boolean => access.ended_at === null && access.expires_at > now;
