import { registerHooks } from "node:module";

/**
 * To be imported before the program (`node --import`): one line of one module is another than it was compiled to. CHANGED_LINE says which:
 * JSON of the module's path from its end, of what stands in that one line, and of what is to stand there.
 */
const { file, from, to } = JSON.parse(process.env.CHANGED_LINE ?? "{}") as Record<"file" | "from" | "to", string>;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(`/${file}`)) return loaded;
    const lines = String(loaded.source).split("\n");
    const found = lines.filter((line) => line.includes(from));
    if (found.length !== 1) throw new Error(`${found.length} lines of ${url} have ${from}`);
    return { ...loaded, source: lines.map((line) => line.replace(from, () => to)).join("\n") };
  },
});
