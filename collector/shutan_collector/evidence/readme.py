"""README.txt of every archive: what is in it and how to verify it, for a person who has nothing but the files."""

from __future__ import annotations

from typing import Final

__all__ = ["README"]

README: Final = """\
Evidence of a closed carbon accounting period 碳核算期证据
========================================================

Verify, offline, with Python 3.9 or later and OpenSSL 3.0 or later:

    python3 verify.py F.zip --fingerprint "<as printed on the report>" --head "<as printed on the report>"

verify.py is published separately with its SHA-256; manifest.json names the one that this archive was made with.
F.zip.sig is an Ed25519 signature over all bytes of F.zip. By hand:

    openssl pkeyutl -verify -rawin -pubin -inkey F.zip.pub -sigfile F.zip.sig -in F.zip

    manifest.json         period, version, SHA-256 and size of every member, head of the chain, fingerprint of the key
    chain.jsonl           headers of all ledger entries up to the closing; each holds the hash of the one before
    documents/<seq>.json  the closing entry and its documents: site model, readings, activities, factors, formulas,
                          ledger lines, claims, totals
    README.txt            this text

Compare two things with the printed report: the fingerprint of the key and the head of the chain.

离线核验：只需 Python 3.9 及以上和 OpenSSL 3.0 及以上，命令如上。verify.py 另行公布并附摘要。
请将公钥指纹与链头同报告上印制的逐位比对；另用密钥重新签名的文件，其指纹必不相同。
manifest.json 列出各成员的摘要；chain.jsonl 为账本各条目的哈希链；documents 为关账凭证：站点模型、表计示数、活动数据、
排放因子、公式、台账、绿证核销与合计。核验程序据此以分数逐项重算，与所载数值逐位比对。
"""
