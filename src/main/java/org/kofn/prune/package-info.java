/**
 * Pruning methods, one file each, named after the paper's method. A method gives every step a mask with exactly k of n
 * and takes the gradient of the effective weight; it knows neither the network nor the data.
 */
package org.kofn.prune;
