/** What the database knows of a checkpoint, beside its state file. */
export interface CheckpointRecord {
  id: string;
  /** The model's hash, as its states carry it, and the name of what it began from, where that was not zeros. */
  model: string;
  /** Key of the model in the store: its checkpoints go with it. */
  url: string;
  /** How many tokens were read (none: texts begin from it), and their hash: so the list is read without any, and the state file has them all. */
  length: number;
  hash: string;
  /** In the middle of a prompt: of use until it is read. */
  reading: boolean;
  /** Names what was read, such as a document, where the state is to go with it. */
  about?: string;
  /** Of the state file. */
  bytes: number;
  /** Milliseconds since 1970. */
  used: number;
}
