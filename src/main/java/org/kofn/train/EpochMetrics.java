package org.kofn.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * A line of {@code metrics.jsonl}. It holds no times, so that an interrupted and resumed run writes the same bytes as
 * an undisturbed one; times are in {@code provenance.json}.
 *
 * @param epoch from 1, over the whole run
 * @param phase dense, prune or finetune
 * @param step steps done at its end
 * @param loss mean training loss of the epoch
 * @param accuracy training accuracy, a fraction
 * @param validationLoss null without a validation part
 * @param validationAccuracy likewise; noise-free masks at the current k
 * @param rate the weights' learning rate at the epoch's last step
 * @param logitRate the logits' learning rate; null when none are learnt
 * @param temperature τ at the last step; null outside pruning by dpp
 * @param noise s at the last step; likewise
 * @param layers one entry for each pruned layer
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record EpochMetrics(
        int epoch,
        String phase,
        long step,
        double loss,
        double accuracy,
        @JsonProperty("validation_loss") Double validationLoss,
        @JsonProperty("validation_accuracy") Double validationAccuracy,
        double rate,
        @JsonProperty("logit_rate") Double logitRate,
        Double temperature,
        Double noise,
        List<LayerMetrics> layers) {

    /**
     * A pruned layer at the end of an epoch.
     *
     * @param name the layer
     * @param k kept candidates of a group
     * @param n candidates of a group
     * @param density k/n
     * @param confidence of the logits; null when none are learnt
     * @param diversity likewise
     * @param flipRate the part of the noise-free mask's candidates that changed sides since the last epoch
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record LayerMetrics(
            String name,
            long k,
            long n,
            double density,
            Double confidence,
            Double diversity,
            @JsonProperty("flip_rate") double flipRate) {}
}
