/* Answers with ANSWER; can be taken over by the library of another build. */
#include <erl_nif.h>

static ERL_NIF_TERM answer(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    return enif_make_int(env, ANSWER);
}

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info)
{
    (void)env;
    (void)data;
    (void)info;
    return 0;
}

static int upgrade(ErlNifEnv *env, void **data, void **old, ERL_NIF_TERM info)
{
    (void)old;
    return load(env, data, info);
}

static ErlNifFunc functions[] = {{"answer", 0, answer, 0}};

ERL_NIF_INIT(APP_nif, functions, load, NULL, upgrade, NULL)
