import { defineConfig } from "vitepress";
import { repositoryLinks } from "../src/repository-links.ts";
import { sidebar } from "../src/sidebar.ts";

export default defineConfig({
  title: "Millrace",
  description: "Node agent for Kubernetes that steers pod traffic through a per-node proxy, and brings it back",
  lang: "en",
  // No icon of ours yet, and no request for one.
  head: [["link", { rel: "icon", href: "data:," }]],
  srcDir: "generated/pages",
  outDir: "dist",
  cacheDir: ".vitepress/cache",
  // Nothing is left to chance: a dead link fails the build.
  ignoreDeadLinks: false,
  markdown: { html: false, config: repositoryLinks },
  themeConfig: {
    search: { provider: "local" },
    sidebar: sidebar(),
    outline: [2, 3],
    nav: [
      { text: "Install", link: "/docs/installing" },
      { text: "Conformance", link: "/docs/conformance" },
      { text: "Reference", link: "/reference/" },
    ],
  },
});
