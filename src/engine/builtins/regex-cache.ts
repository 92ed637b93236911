import { RE2JS, RE2JSSyntaxException } from "re2js";
import { BuiltinError, BuiltinLimit, BuiltinUnsupported, type TakeSteps } from "./builtin.ts";
import { programSizeMax } from "./regex-size.ts";

/** Patterns kept compiled: compiling takes a hundred times as long as a short match. */
const PATTERNS_MAX = 256;

/** Longest pattern, in UTF-16 units: a pattern may come from a request, too. */
const PATTERN_LENGTH_MAX = 4096;

/** Most instructions of a pattern, which are kept with it. */
const PROGRAM_SIZE_MAX = 20_000;

/** Steps to compile a pattern: for a character, an instruction, and a class of Unicode such as `\pL`. */
const CHARACTER_STEPS = 500;
const INSTRUCTION_STEPS = 100;
const UNICODE_CLASS_STEPS = 20_000;

const compiled = new Map<string, RE2JS>();

/** The compiled pattern; the one unused for longest makes room for a new one. */
export function compilePattern(pattern: string, takeSteps: TakeSteps): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) {
    compiled.delete(pattern);
    compiled.set(pattern, known);
    return known;
  }
  const made = compileAnew(pattern, takeSteps);
  compiled.set(pattern, made);
  if (compiled.size > PATTERNS_MAX) compiled.delete(compiled.keys().next().value!);
  return made;
}

function compileAnew(pattern: string, takeSteps: TakeSteps): RE2JS {
  if (pattern.length > PATTERN_LENGTH_MAX) {
    throw new BuiltinLimit(`a pattern of more than ${PATTERN_LENGTH_MAX} characters`);
  }
  const size = programSizeMax(pattern);
  if (size > PROGRAM_SIZE_MAX) {
    throw new BuiltinLimit(`a pattern of more than ${PROGRAM_SIZE_MAX} instructions`);
  }
  const unicodeClasses = pattern.match(/\\p/gi)?.length ?? 0;
  takeSteps(
    CHARACTER_STEPS * pattern.length +
      INSTRUCTION_STEPS * size +
      UNICODE_CLASS_STEPS * unicodeClasses,
  );
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    // Go lets groups share a name, which re2js does not.
    if (error instanceof RE2JSSyntaxException && error.getDescription().startsWith("duplicate")) {
      throw new BuiltinUnsupported("a pattern with two groups of the same name");
    }
    throw new BuiltinError("invalid pattern");
  }
}
