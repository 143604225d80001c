const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it stands in XML and HTML. Control characters are in no XML, not even escaped. */
export const escapeMarkup = (text: string): string =>
  text.replace(/[^\t\n\r\x20-\uFFFD]/g, "?").replace(/[&<>"']/g, (character) => entities[character]!);
