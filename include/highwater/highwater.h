#pragma once
/* Everything libhighwater offers. */
#include <highwater/callback.h>
#include <highwater/code.h>
#include <highwater/platform.h>
#include <highwater/query.h>
#include <highwater/receiver.h>
#include <highwater/sign.h>
#include <highwater/usersig.h>
#include <highwater/webhook.h>
