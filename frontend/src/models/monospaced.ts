/** For fields that hold code; their labels stay as they are. */
export const monospaced = { input: { fontFamily: "var(--mantine-font-family-monospace)" } };
