import type { Btf, BtfType } from "./btf.ts";
import { btfCodec } from "./btf-codec.ts";
import type { Codec } from "./codec.ts";
import { ownError } from "./errors.ts";

/** A global variable of an object: which data section it stands in, and where. */
export interface Variable {
  readonly name: string;
  /** The map of its section: see `mapSpecs`. */
  readonly map: string;
  readonly offset: number;
  readonly codec: Codec<unknown>;
}

/** The variables of the sections that these maps hold, by name. */
export function variablesOf(
  btf: Btf,
  maps: readonly { readonly name: string; readonly valueTypeId: number }[],
): ReadonlyMap<string, Variable> {
  const variables = maps.flatMap(({ name: map, valueTypeId }): Variable[] => {
    const section = btf.type(valueTypeId);
    if (section.kind !== "datasec") return [];
    return section.variables.map(({ type, offset }) => {
      const { name, type: of } = btf.type(type) as Extract<BtfType, { kind: "var" }>;
      return { name, map, offset, codec: btfCodec(btf, of) };
    });
  });
  return new Map(variables.map((variable) => [variable.name, variable]));
}

export function findVariable(variables: ReadonlyMap<string, Variable>, name: string): Variable {
  const variable = variables.get(name);
  if (variable) return variable;
  throw ownError(
    "ERR_NOT_FOUND",
    `the object has no variable ${name}; it has: ${[...variables.keys()].join(", ") || "none"}`,
  );
}
