/**
 * Data sets: readers of the published formats, the place where the files live, download and import, and the batches
 * that training sees. A set is decoded once to uint8 and stays on the device; everything that differs from epoch to
 * epoch (order, shift, crop, flip) follows from (seed, epoch, batch) alone.
 *
 * <p>{@link org.kofn.data.DataCatalog} is the front door: a name in, a {@link org.kofn.data.Dataset} out.
 */
package org.kofn.data;
