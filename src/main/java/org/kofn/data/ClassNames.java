package org.kofn.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** What the classes of a set are called, in the order of their labels, as its authors or its folders have it. */
final class ClassNames {
    private static final List<String> DIGITS = characters("0123456789");

    private static final Map<String, List<String>> KNOWN = Map.of(
            DataCatalog.DIGITS,
            DIGITS,
            "mnist",
            DIGITS,
            "emnist-digits",
            DIGITS,
            "emnist-letters",
            characters("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            // Lower-case letters that look like their capitals are in one class with them.
            "emnist-balanced",
            characters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
            "fashion-mnist",
            List.of(
                    "T-shirt/top",
                    "trouser",
                    "pullover",
                    "dress",
                    "coat",
                    "sandal",
                    "shirt",
                    "sneaker",
                    "bag",
                    "ankle boot"),
            "cifar-10",
            words("airplane automobile bird cat deer dog frog horse ship truck"),
            "cifar-100",
            words("apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly"
                    + " camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile"
                    + " cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp"
                    + " lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom"
                    + " oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine"
                    + " possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake"
                    + " spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor"
                    + " train trout tulip turtle wardrobe whale willow_tree wolf woman worm"));

    private ClassNames() {}

    /**
     * The names.
     *
     * @param set as recipes say it
     * @param dir of a folder of pictures, where its class folders give the names; may be null, or no longer there
     * @param classes how many there are; names of another number are not these
     * @return so many names; where none are known, the labels' numbers
     */
    static List<String> of(String set, Path dir, int classes) {
        List<String> names = KNOWN.getOrDefault(set, List.of());
        if (set.equals(DataCatalog.FOLDER) && dir != null && Files.isDirectory(dir.resolve("train"))) {
            names = ImageFolderReader.open(dir).classes();
        }
        return names.size() == classes
                ? names
                : IntStream.range(0, classes).mapToObj(Integer::toString).toList();
    }

    private static List<String> words(String text) {
        return List.of(text.split(" "));
    }

    private static List<String> characters(String text) {
        return List.of(text.split(""));
    }
}
