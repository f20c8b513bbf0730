package org.kofn.data;

import org.bytedeco.pytorch.Tensor;

/**
 * What one training step sees.
 *
 * @param images float32 [B, C, H, W], (pixel/255 − mean)/std, augmented
 * @param labels int64 [B]
 */
public record Batch(Tensor images, Tensor labels) {}
