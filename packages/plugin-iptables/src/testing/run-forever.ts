import { run } from "../commands/run.ts";

/** Starts a program that is given an input and does not end by itself, and that says in a file which process it is. `netns`: a path, or nothing for the own one. */
const [file = "", netns = ""] = process.argv.slice(2);
const forever = 'echo $$ > "$1.new" && mv "$1.new" "$1" && exec sleep 600';
await run("sh", ["-c", forever, "sh", file], { input: "", deadline: 600_000, ...(netns !== "" && { netns }) });
