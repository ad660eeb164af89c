/**
 * ONNX Runtime's Linux builds tell their maker about every session, and keep a file of it in the home folder, unless this
 * variable is set when the library is loaded. It has to be set on the main thread: a worker's environment is a copy that
 * native code does not see.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
