/** One entry of apt's sources: packages of `suites` under each of `uris`. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** `signed-by`: a key ring's path, or the key itself over several lines (deb822 only). */
  readonly signedBy?: string;
}

/**
 * Reads the one-line format, `deb [options] uri suite component…` (sources.list(5), "ONE-LINE-STYLE FORMAT"). Entries for
 * sources of packages (`deb-src`) are left out, and lines that are no entry: apt itself reports those.
 */
export function parseOneLine(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*$/.exec(withoutComment(line));
    const [, options = "", uri, suite, components = ""] = match ?? [];
    if (uri === undefined || suite === undefined) return [];
    const signedBy = words(options)
      .find((option) => option.startsWith("signed-by="))
      ?.slice("signed-by=".length);
    return [{ uris: [uri], suites: [suite], components: words(components), ...(signedBy ? { signedBy } : {}) }];
  });
}

/**
 * Reads the deb822 format: stanzas of `Field: value`, values going on in lines that begin with a blank (sources.list(5),
 * "DEB822-STYLE FORMAT"). Stanzas that are disabled or have no type `deb` are left out.
 */
export function parseDeb822(text: string): AptSource[] {
  return stanzas(text).flatMap((fields) => {
    if (!words(fields.get("types")).includes("deb") || fields.get("enabled")?.toLowerCase() === "no") return [];
    const signedBy = fields.get("signed-by");
    return [
      {
        uris: words(fields.get("uris")),
        suites: words(fields.get("suites")),
        components: words(fields.get("components")),
        ...(signedBy ? { signedBy } : {}),
      },
    ];
  });
}

/** Writes an entry in the deb822 format, which can carry all that either format can. */
export function renderDeb822({ uris, suites, components, signedBy }: AptSource): string {
  return [
    "Types: deb",
    `URIs: ${uris.join(" ")}`,
    `Suites: ${suites.join(" ")}`,
    `Components: ${components.join(" ")}`,
    ...(signedBy === undefined ? [] : [`Signed-By: ${signedBy}`]),
    "",
  ].join("\n");
}

function stanzas(text: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  let fields = new Map<string, string>();
  let name = "";
  for (const line of [...text.split("\n").filter((one) => !one.startsWith("#")), ""]) {
    const field = /^([^\s:]+):\s*(.*)$/.exec(line);
    if (line.trim() === "") {
      if (fields.size > 0) found.push(fields);
      fields = new Map();
    } else if (field !== null) {
      name = (field[1] ?? "").toLowerCase();
      fields.set(name, (field[2] ?? "").trim());
    } else if (/^\s/.test(line)) {
      // Kept as it is: a key ring's armour is part of the value.
      fields.set(name, `${fields.get(name) ?? ""}\n${line.trimEnd()}`);
    }
  }
  return found;
}

const withoutComment = (line: string): string => line.replace(/(^|\s)#.*$/, "");
const words = (text = ""): string[] => text.split(/\s+/).filter((word) => word !== "");
