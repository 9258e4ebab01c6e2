"""Small language models: networks whose axes mean something else."""

from typing import Any

import torch
from torch import Tensor

from seeded.wild.build import add


def _ids() -> Tensor:
    return torch.randint(4, 60, (2, 12), generator=torch.Generator().manual_seed(0))


def _next_token(model: Any, inputs: Any) -> Tensor:
    return model(**inputs, labels=inputs["input_ids"]).loss


ENCODER: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
}  # fmt: skip
add(
    "BERT",
    "BertForMaskedLM",
    "BertConfig",
    lambda: {"input_ids": _ids()},
    loss=_next_token,
    **ENCODER,
)
add("RoBERTa", "RobertaModel", "RobertaConfig", lambda: {"input_ids": _ids()}, **ENCODER)
add(
    "ALBERT",
    "AlbertForMaskedLM",
    "AlbertConfig",
    lambda: {"input_ids": _ids()},
    loss=_next_token,
    embedding_size=16,
    **ENCODER,
)
add(
    "ELECTRA",
    "ElectraModel",
    "ElectraConfig",
    lambda: {"input_ids": _ids()},
    embedding_size=16,
    **ENCODER,
)
add("DistilBERT", "DistilBertModel", "DistilBertConfig", lambda: {"input_ids": _ids()}, vocab_size=64, dim=32, hidden_dim=64,
    n_layers=2, n_heads=4)  # fmt: skip
add("GPT-2", "GPT2LMHeadModel", "GPT2Config", lambda: {"input_ids": _ids()}, loss=_next_token, vocab_size=64, n_embd=32,
    n_layer=2, n_head=4, use_cache=False, bos_token_id=1, eos_token_id=2)  # fmt: skip
add("Llama", "LlamaForCausalLM", "LlamaConfig", lambda: {"input_ids": _ids()}, loss=_next_token, use_cache=False,
    num_key_value_heads=2, **ENCODER)  # fmt: skip
add("T5", "T5Model", "T5Config", lambda: {"input_ids": _ids(), "decoder_input_ids": _ids()[:, :8]}, vocab_size=64, d_model=32,
    d_kv=8, d_ff=64, num_layers=2, num_heads=4, use_cache=False)  # fmt: skip
