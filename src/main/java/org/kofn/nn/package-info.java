/**
 * Networks as data: named layers whose shapes fit, a zoo of them, what they cost, and their compiler to TorchScript
 * modules. Knows nothing of compression: that happens on the tensors which a module holds.
 */
package org.kofn.nn;
