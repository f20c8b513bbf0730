/** A network and its tensors as an ONNX model, for the runtimes that read one. */
package org.kofn.export.onnx;
