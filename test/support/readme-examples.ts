/** A command that a page shows in a `console` block, and what it shows of its output. */
export interface ConsoleExample {
  readonly command: string;
  /** Lines as shown, line ends included. `…` stands for anything in a line, alone for any lines. */
  readonly output: string;
}

/** What a page says below one heading. */
export interface MarkdownSection {
  readonly title: string;
  /** Lines of its `sh` blocks, without comments. */
  readonly commands: readonly string[];
  readonly examples: readonly ConsoleExample[];
}

/** The `$ …` lines of a text's `console` blocks, each with the lines below it. */
export function consoleExamples(markdown: string): ConsoleExample[] {
  return blocksOf(markdown, "console").flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf("\n");
        return { command: part.slice(0, end), output: part.slice(end + 1) };
      }),
  );
}

/** A page's parts, each with the heading that it stands below; that of the page itself is the first. */
export function markdownSections(markdown: string): MarkdownSection[] {
  return markdown
    .split(/^#+ (?=.*\n\n)/m)
    .slice(1)
    .map((part) => ({
      title: part.slice(0, part.indexOf("\n")),
      commands: blocksOf(part, "sh").flatMap((block) =>
        block
          .split("\n")
          .map((line) => line.replace(/\s+#.*/, ""))
          .filter((line) => line !== ""),
      ),
      examples: consoleExamples(part),
    }));
}

/** The pattern that shown output stands for, column widths aside. */
export function outputPattern(shown: string): RegExp {
  const lines = shown.split(/(?<=\n)/).map((line) => {
    if (line === "…\n") return "(?:.*\\n)*";
    return line
      .trim()
      .split(/\s{2,}/)
      .map((cell) => RegExp.escape(cell).replaceAll("…", ".*"))
      .join("\\s{2,}")
      .concat("\\n");
  });
  return new RegExp(`^${lines.join("")}(?:\\s+.*\\n)*$`);
}

function blocksOf(markdown: string, language: string): string[] {
  const fences = markdown.matchAll(/```(\w+)\n(.*?)```/gs);
  return [...fences].filter(([, name]) => name === language).map(([, , block]) => block!);
}
