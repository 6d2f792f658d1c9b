import type { MarkdownRenderer } from "vitepress";
import { addressOf, listPages, placeOf, resolveLink } from "./pages.ts";

const ELSEWHERE = /^([a-z]+:|\/\/|#|\/)/;

/**
 * The pages are written to be read in the repository as well. A link to another page becomes one on the site; one to a file that is no
 * page stays as its words, with the file's path as a hint; one that leads nowhere fails the build.
 */
export function repositoryLinks(markdown: MarkdownRenderer): void {
  // VitePress says where the site has the page; its links are written from where the repository has it.
  const paths = new Map(listPages().map((path) => [placeOf(path), path]));
  markdown.core.ruler.push("repository-links", (state) => {
    const from = paths.get(String(state.env.relativePath)) ?? "";
    for (const { children } of state.tokens) {
      const words: boolean[] = [];
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const href = token.attrGet("href") ?? "";
          const target = ELSEWHERE.test(href) ? undefined : resolveLink(from, href);
          words.push(target !== undefined && "file" in target);
          if (target === undefined) continue;
          if ("page" in target) token.attrSet("href", addressOf(target.page) + target.hash);
          else {
            token.tag = "span";
            token.attrs = [
              ["class", "in-repository"],
              ["title", `in the repository: ${target.file}`],
            ];
            token.type = "span_open";
          }
        } else if (token.type === "link_close" && words.pop()) {
          token.tag = "span";
          token.type = "span_close";
        }
      }
    }
  });
}
