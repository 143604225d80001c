/** A word as the shell takes it unchanged. */
export const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
