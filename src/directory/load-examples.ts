import type { Logger } from "../base/logger.ts";
import type { Directory } from "./directory.ts";
import type { DirectoryOptions } from "./options.ts";
import { readDirectoryText } from "./read-directory-text.ts";

/**
 * Applies the example files that the configuration asks for, and says so in the log. For a server
 * that starts: commands that open the directory leave it as it is.
 */
export async function loadExamples(
  directory: Directory,
  deps: { readonly options: DirectoryOptions; readonly logger: Logger },
): Promise<void> {
  for (const path of deps.options.examples) {
    const file = await readDirectoryText(path, deps.options.fileBytesMax);
    const { items, generation } = await directory.apply(file, { dryRun: false });
    deps.logger.info(
      { file: path, changes: items.length, generation },
      "Example subjects loaded, as configured in directory.examples; not for real use.",
    );
  }
}
