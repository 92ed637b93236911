import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { optionName } from "../base/option-name.ts";
import { PdpError } from "../decision/error.ts";
import { type CatalogueDefinition, parseCatalogue } from "./catalogue-file.ts";
import { readDirectoryText } from "./read-directory-text.ts";

/**
 * Reads every `<application>.yaml` of a folder, by application. Throws `PdpError`
 * `invalid-argument` for a folder that can't be read or a file with mistakes.
 */
export async function loadCatalogues(
  folder: string,
  fileBytesMax: number,
): Promise<ReadonlyMap<string, CatalogueDefinition>> {
  const definitions = new Map<string, CatalogueDefinition>();
  for (const name of await listFiles(folder)) {
    const file = await readDirectoryText(join(folder, name), fileBytesMax);
    const definition = parseCatalogue(file);
    const application = definition.catalogue.name;
    if (basename(name, ".yaml") !== application) {
      throw new PdpError(
        "invalid-argument",
        `${file.name}: application: is ${application}; expected the name of the file`,
        { field: "application" },
      );
    }
    definitions.set(application, definition);
  }
  return definitions;
}

async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(".yaml") && !name.startsWith(".")).sort();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new PdpError(
      "invalid-argument",
      `The catalogues in ${resolve(folder)} can't be read (${code}). Name their folder in ` +
        `${optionName("directory.catalogues_folder")}.`,
      { cause: error },
    );
  }
}
