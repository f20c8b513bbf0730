package org.kofn.data;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;

/**
 * What is known of a published set before its files are opened. Means and standard deviations are those in common use,
 * taken over the training part; a normalisation need not be exact, only the same everywhere. Sizes and SHA-256
 * checksums are those of TensorFlow Datasets; MNIST's were also recomputed from files with the published MD5.
 *
 * @param name as recipes say it
 * @param folder below the data folder
 * @param trainSize published number of training images
 * @param testSize published number of test images
 * @param licence licence and authors, in a line
 * @param mean per channel, of pixel/255
 * @param std per channel, of pixel/255
 * @param format how the files are read
 * @param files what {@code fetch} downloads
 */
record DataSpec(
        String name,
        String folder,
        int channels,
        int height,
        int width,
        int classes,
        long trainSize,
        long testSize,
        String licence,
        List<Float> mean,
        List<Float> std,
        Format format,
        List<RemoteFile> files) {

    private static final Map<String, DataSpec> KNOWN = new LinkedHashMap<>();

    static {
        mnist();
        fashionMnist();
        emnist("balanced", 47, 0, 112_800, 18_800, 0.1751f, 0.3332f);
        emnist("digits", 10, 0, 240_000, 40_000, 0.1722f, 0.3309f);
        emnist("letters", 26, 1, 124_800, 20_800, 0.1722f, 0.3309f);
        cifar10();
        cifar100();
    }

    /** The sets that lie on disk, by name. */
    static Map<String, DataSpec> known() {
        return KNOWN;
    }

    /** All names that a recipe may use. */
    static Set<String> names() {
        Set<String> names = new LinkedHashSet<>();
        names.add(DataCatalog.DIGITS);
        names.addAll(KNOWN.keySet());
        names.add(DataCatalog.FOLDER);
        return names;
    }

    /** The set of that name, if it is one that {@code fetch} and {@code import} know. */
    static DataSpec downloadable(String name) {
        if (name.equals(DataCatalog.DIGITS)) {
            throw KofnException.usage("data: digits comes with kofn; there is nothing to fetch or import");
        }
        if (name.equals(DataCatalog.FOLDER)) {
            throw KofnException.usage(
                    "data: a folder of pictures is read where it lies; write `data: {name: folder, dir: DIR}`");
        }
        DataSpec spec = KNOWN.get(name);
        if (spec == null) {
            throw KofnException.usage("data: no data set '%s'%s", name, Suggest.hint(name, names()));
        }
        return spec;
    }

    private static void add(DataSpec spec) {
        KNOWN.put(spec.name, spec);
    }

    private static void mnist() {
        String s3 = "https://ossci-datasets.s3.amazonaws.com/mnist/";
        String google = "https://storage.googleapis.com/cvdf-datasets/mnist/";
        add(new DataSpec(
                "mnist",
                "mnist",
                1,
                28,
                28,
                10,
                60_000,
                10_000,
                "CC BY-SA 3.0, Y. LeCun, C. Cortes, C. J. C. Burges",
                List.of(0.1307f),
                List.of(0.3081f),
                new IdxFormat("mnist", 10),
                List.of(
                        RemoteFile.at(
                                "train-images-idx3-ubyte.gz",
                                9_912_422,
                                "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                                s3,
                                google),
                        RemoteFile.at(
                                "train-labels-idx1-ubyte.gz",
                                28_881,
                                "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                                s3,
                                google),
                        RemoteFile.at(
                                "t10k-images-idx3-ubyte.gz",
                                1_648_877,
                                "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                                s3,
                                google),
                        RemoteFile.at(
                                "t10k-labels-idx1-ubyte.gz",
                                4_542,
                                "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                                s3,
                                google))));
    }

    private static void fashionMnist() {
        String github = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/";
        String s3 = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
        String google = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/";
        add(new DataSpec(
                "fashion-mnist",
                "fashion-mnist",
                1,
                28,
                28,
                10,
                60_000,
                10_000,
                "MIT, Zalando SE (H. Xiao, K. Rasul, R. Vollgraf)",
                List.of(0.2860f),
                List.of(0.3530f),
                new IdxFormat("fashion-mnist", 10),
                List.of(
                        RemoteFile.at(
                                "train-images-idx3-ubyte.gz",
                                26_421_880,
                                "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                                google,
                                s3,
                                github),
                        RemoteFile.at(
                                "train-labels-idx1-ubyte.gz",
                                29_515,
                                "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                                google,
                                s3,
                                github),
                        RemoteFile.at(
                                "t10k-images-idx3-ubyte.gz",
                                4_422_102,
                                "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                                google,
                                s3,
                                github),
                        RemoteFile.at(
                                "t10k-labels-idx1-ubyte.gz",
                                5_148,
                                "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                                google,
                                s3,
                                github))));
    }

    private static void emnist(
            String split, int classes, int firstLabel, long train, long test, float mean, float std) {
        String name = "emnist-" + split;
        add(new DataSpec(
                name,
                "emnist",
                1,
                28,
                28,
                classes,
                train,
                test,
                "no licence stated, NIST (G. Cohen, S. Afshar, J. Tapson, A. van Schaik)",
                List.of(mean),
                List.of(std),
                new EmnistFormat(name, split, classes, firstLabel),
                List.of(RemoteFile.at(
                        EmnistFormat.ARCHIVE,
                        561_753_746,
                        "sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
                        "https://biometrics.nist.gov/cs_links/EMNIST/",
                        "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"))));
    }

    private static void cifar10() {
        CifarReader reader = CifarReader.cifar10();
        add(new DataSpec(
                "cifar-10",
                "cifar-10",
                3,
                32,
                32,
                10,
                50_000,
                10_000,
                "no licence stated, A. Krizhevsky, V. Nair, G. Hinton",
                List.of(0.4914f, 0.4822f, 0.4465f),
                List.of(0.2470f, 0.2435f, 0.2616f),
                reader,
                List.of(RemoteFile.at(
                        reader.archive(),
                        170_052_171,
                        "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                        "https://www.cs.toronto.edu/~kriz/",
                        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/"))));
    }

    private static void cifar100() {
        CifarReader reader = CifarReader.cifar100();
        add(new DataSpec(
                "cifar-100",
                "cifar-100",
                3,
                32,
                32,
                100,
                50_000,
                10_000,
                "no licence stated, A. Krizhevsky, V. Nair, G. Hinton",
                List.of(0.5071f, 0.4865f, 0.4409f),
                List.of(0.2673f, 0.2564f, 0.2762f),
                reader,
                List.of(RemoteFile.at(
                        reader.archive(),
                        168_513_733,
                        "sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                        "https://www.cs.toronto.edu/~kriz/"))));
    }
}
