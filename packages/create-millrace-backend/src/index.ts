export { type Created, createProject } from "./create-project.ts";
