package org.kofn.bench;

import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Zoo;

/** The networks of the zoo at the size that they are best known at, for ten classes. */
final class ZooInput {
    private ZooInput() {}

    /**
     * The network of that name.
     *
     * @throws org.kofn.base.KofnException (usage) for an unknown name, with the nearest
     */
    static Network network(String name) {
        return Zoo.build(name, shape(name), 10);
    }

    /** MNIST's 28x28 pixels for the LeNets, 8x8 for the embedded digits, CIFAR's 32x32 in colour for the others. */
    private static Shape shape(String name) {
        if (name.startsWith("lenet")) {
            return new Shape(1, 28, 28);
        }
        return name.startsWith("digits") ? new Shape(1, 8, 8) : new Shape(3, 32, 32);
    }
}
