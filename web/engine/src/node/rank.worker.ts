/** A thread that shares a model with the engine's. */
import './scope.ts';
import '../worker/rank.worker.ts';
