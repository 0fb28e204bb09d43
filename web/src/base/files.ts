/** Files that go between the page and its visitor. */

/** A text that is to become a file. */
export interface TextFile {
  name: string;
  type: string;
  text: string;
}

/** Files of this computer; handles where the browser gives them, so that they can be read in place and opened again. */
export interface ChosenFiles {
  files: File[];
  handles?: FileSystemFileHandle[];
}

/** Where an export goes. */
export interface ExportFile {
  handle: FileSystemFileHandle;
  /** Hands the written file to the visitor, where it is not already in its place. */
  finish(): Promise<void>;
}
