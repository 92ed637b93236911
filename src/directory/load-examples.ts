import type { Logger } from "../base/logger.ts";
import type { Directory } from "./directory.ts";
import type { DirectoryOptions } from "./options.ts";
import { readDirectoryText } from "./read-directory-text.ts";

/**
 * Applies the example files that the configuration asks for to a directory in which nobody is yet,
 * and says so in the log. Never to another: a restart would undo what an operator has changed
 * since, revocations among it. For a server that starts: commands leave the directory as it is.
 */
export async function loadExamples(
  directory: Directory,
  deps: { readonly options: DirectoryOptions; readonly logger: Logger },
): Promise<void> {
  const { examples: files, fileBytesMax } = deps.options;
  if (files.length === 0) return;
  if (!(await directory.isEmpty())) {
    deps.logger.info({ files }, "Example subjects left out: the directory has subjects already.");
    return;
  }
  for (const path of files) {
    const file = await readDirectoryText(path, fileBytesMax);
    const { items, generation } = await directory.apply(file, { dryRun: false });
    deps.logger.info(
      { file: path, changes: items.length, generation },
      "Example subjects loaded, as configured in directory.examples; not for real use.",
    );
  }
}
