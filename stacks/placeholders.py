"""Public keys that hold the place of an environment's own until `./pingvas deploy` makes them.

Their private halves were thrown away when they were made: nobody can sign with them, so nothing opens.
"""

CDN_PUBLIC_KEYS = (
    (
        "dev-a",
        """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyh/HOypqz4vXBg89JptQ
zQVblAMPlmXmAH0UEPmWsqUqAXFVfhugEQ/Iz6I0QdmZtLTt+Wvh8xlH3EXPYGYV
wM6bmjwmqM6znyp6y7i3Czrxec9z1mvjR+VwzPmeO5YycI0yQrHbuP76RmPRI8I0
Nv2Dc1K14rSGVMvrhPQOezs/OpE3rZk6KMeAUEAnMxiaslDgSROs8+vZhvBj9Bzy
BGcdsjDcRAqc6zpgpVWoNkiGG8UXA7fMquET/SIP5Mgtb7AGD8mjUG82Qt1+/T04
x9cZNuqyAYOSiVyeh0HxJpbV7R0G6d3Py7bxoi41ch4FlelWEaQraD2/lgUlqFyK
6wIDAQAB
-----END PUBLIC KEY-----
""",
    ),
    (
        "prod-a",
        """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlcI0G3ShSchBwbGZIes2
AGnPOZxTNqlr0uGIrnOQ6OVfb3fGJz47ElShg96NX2czicgPul6yVejXrWTG9QeS
B26sVsg3ZVyuTWlhrXcj2rNIWp6WVR/UNXtmUrpBtkFWd+n9YfzcnsNLFptGx3xU
2/QjK/t5LEVAQW1R5s5MD92C5GftaHfXhVxP1XEmBUympyIbB65mj6rZRWYPVDvA
wXAF6/6N5o4NHvfbFzCOpMthB4aHVAwq4UapckvzI4TK/0nVyqXcs0KoflVpaG9y
vVg29jeTcDcahmzKajRpXHjc3mvPIMA9nAWEog446yhgkRvd1RLcw2mpqf/8AVUf
oQIDAQAB
-----END PUBLIC KEY-----
""",
    ),
)
