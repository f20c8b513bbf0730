package org.kofn.export;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.data.Augmentation;
import org.kofn.data.Batches;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Pictures;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.torch.Tensors;

/**
 * Says what is on pictures: reads them as {@link Pictures} does, normalises them as the model's training data were, and
 * runs the model over them, a batch at a time.
 */
public final class Predictor {
    private final SavedModel model;
    private final Pictures pictures;
    private final List<String> names;
    private final int top;
    private final int batch;

    /**
     * A predictor.
     *
     * @param network whose input and classes the model has
     * @param top how many classes are told of each picture
     * @param batch pictures that run together
     */
    public Predictor(SavedModel model, Network network, int top, int batch) {
        Shape input = network.input();
        String dir = model.recipe().data().dir();
        String set = model.recipe().data().name();
        this.model = model;
        this.pictures = new Pictures(input.channels(), input.height(), input.width());
        this.names = DataCatalog.classNames(set, dir == null ? null : Path.of(dir), network.classes());
        this.top = Math.min(top, network.classes());
        this.batch = batch;
    }

    /**
     * A class and how likely it is.
     *
     * @param label its number
     * @param name what it is called
     * @param probability by the softmax of all logits
     */
    public record Score(int label, String name, double probability) {}

    /**
     * What is on a picture.
     *
     * @param image its file
     * @param classes the likeliest first
     */
    public record Prediction(String image, List<Score> classes) {}

    /**
     * Predicts, in the order of the paths. A picture that cannot be taken does not stop the others.
     *
     * @param paths files, and folders of them
     * @param found what is told of each picture
     * @param failed what is wrong with a path, in one line that names it
     */
    public void run(List<Path> paths, Consumer<Prediction> found, Consumer<KofnException> failed) {
        List<Path> files = new ArrayList<>();
        List<byte[]> pixels = new ArrayList<>();
        for (Path path : paths) {
            for (Path file : files(path, failed)) {
                try {
                    pixels.add(pictures.read(file));
                    files.add(file);
                } catch (KofnException e) {
                    failed.accept(e);
                }
                if (files.size() == batch) {
                    flush(files, pixels, found);
                }
            }
        }
        flush(files, pixels, found);
    }

    private static List<Path> files(Path path, Consumer<KofnException> failed) {
        try {
            return Pictures.at(path);
        } catch (KofnException e) {
            failed.accept(e);
            return List.of();
        }
    }

    private void flush(List<Path> files, List<byte[]> pixels, Consumer<Prediction> found) {
        if (files.isEmpty()) {
            return;
        }
        String set = model.recipe().data().name();
        try (PointerScope scope = new PointerScope();
                Dataset data = pictures.like(set, names.size(), pixels);
                Dataset here = data.to(model.device());
                Batches batches = new Batches(here, Augmentation.NONE, files.size(), 0, false)) {
            Tensor logits = model.logits(batches.get(0, 0).images());
            float[] likely = Tensors.floats(logits.cpu().to(ScalarType.Double).softmax(1));
            for (int i = 0; i < files.size(); i++) {
                found.accept(new Prediction(files.get(i).toString(), best(likely, i * names.size())));
            }
        }
        files.clear();
        pixels.clear();
    }

    /** The likeliest classes of the picture whose probabilities start at a place; of equal ones, the first. */
    private List<Score> best(float[] likely, int start) {
        List<Score> scores = new ArrayList<>();
        for (int label = 0; label < names.size(); label++) {
            scores.add(new Score(label, names.get(label), likely[start + label]));
        }
        scores.sort((one, other) -> Double.compare(other.probability(), one.probability()));
        return List.copyOf(scores.subList(0, top));
    }
}
